from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("annotation", "0007_opinions_of_models")]

    operations = [
        migrations.AddField(
            "volunteer",
            "taken_out_at",
            models.DateTimeField(help_text="Gets no more texts since; the answers stay.", null=True),
        ),
        migrations.AddIndex(
            "assignment",
            models.Index(condition=Q(("skip_reason", "names_a_person")), fields=["task"], name="assignment_saw_a_name"),
        ),
    ]
