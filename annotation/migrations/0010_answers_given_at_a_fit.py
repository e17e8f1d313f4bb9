"""How many answers there were at a fit, those that do not count too."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotation', '0009_review_and_standing'),
    ]

    operations = [
        migrations.AddField(
            model_name='crowdfit',
            name='n_given',
            field=models.PositiveIntegerField(default=0, help_text="Answers there were, those that don't count too; tells when a refit is due."),
        ),
    ]
