from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("training", "0015_order_wanted"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="prediction",
            index=models.Index(
                condition=models.Q(("explored", True)),
                fields=["model_version"],
                name="predictions_of_stream",
            ),
        ),
    ]
