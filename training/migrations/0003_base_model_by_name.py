from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("training", "0002_schedule")]

    operations = [
        migrations.RenameField("trainingpolicy", "base_model_path", "base_model"),
        migrations.AlterField(
            "trainingpolicy",
            "base_model",
            models.CharField(
                blank=True,
                help_text="The name of a model that this site offers; empty means the site's default encoder.",
                max_length=500,
            ),
        ),
    ]
