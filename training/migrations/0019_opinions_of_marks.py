from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("training", "0018_when_the_stream_was_changed"),
    ]

    operations = [
        migrations.AddField(
            model_name="prediction",
            name="answer",
            field=models.JSONField(
                help_text="What it marks, in the form of the campaign's answers.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="prediction",
            name="probabilities",
            field=models.JSONField(help_text="One per label key of the model, in its order.", null=True),
        ),
        migrations.AddConstraint(
            model_name="prediction",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("answer__isnull", True), ("probabilities__isnull", False)),
                    models.Q(("answer__isnull", False), ("explored", True), ("probabilities__isnull", True)),
                    _connector="OR",
                ),
                name="an_opinion_is_probabilities_or_marks",
            ),
        ),
    ]
