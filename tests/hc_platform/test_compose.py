"""compose.yaml and the Dockerfile say the same as `./hc up`; no engine is needed to see that."""

import json
import re
from pathlib import Path

import pytest
import yaml

from hc_platform.management.commands.up import programs

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def services():
    return yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]


def image_command() -> list[str]:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", "")
    return json.loads(re.search(r"^CMD (.*)$", text, re.MULTILINE)[1])


def test_every_program_of_up_is_a_service_with_the_same_command(services, settings):
    settings.LOG_LEVEL = "INFO"
    for program in programs("0.0.0.0", 8000):
        command = services[program.name].get("command", image_command())
        assert command == list(program.command)[2:], program.name  # without "python -m"


def test_the_gpu_service_differs_from_the_cpu_service_by_its_device_alone(services):
    cpu, gpu = dict(services["training"]), dict(services["training-gpu"])
    assert cpu.pop("profiles") == ["cpu"] and gpu.pop("profiles") == ["gpu"]
    assert gpu.pop("deploy")["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
    assert cpu == gpu


def test_services_reach_each_other_but_only_the_pages_have_a_port_and_that_on_loopback(services):
    assert {name for name, service in services.items() if "ports" in service} == {"web"}
    assert services["web"]["ports"] == ["127.0.0.1:${PORT:-8000}:8000"]


def test_the_environment_of_the_services_is_documented(services):
    documented = (ROOT / ".env.example").read_text() + (ROOT / "docs" / "operations.md").read_text()
    assert [name for name in services["web"]["environment"] if name not in documented] == []
