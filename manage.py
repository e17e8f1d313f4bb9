#!/usr/bin/env python
"""Django's command line for HC Platform; `./hc manage` calls it with everything installed."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hc_platform.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
