"""Agreement that was kept before each form of answer had a figure by week: a worker computes it again."""

from django.db import migrations


def forget(apps, schema_editor):
    apps.get_model("annotation", "AgreementReport").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [("annotation", "0017_rules_of_ranking")]
    operations = [migrations.RunPython(forget, migrations.RunPython.noop)]
