"""The ranking of what was compared, kept for the page that shows it."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotation', '0010_answers_given_at_a_fit'),
    ]

    operations = [
        migrations.CreateModel(
            name='ItemRanking',
            fields=[
                ('campaign', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='item_ranking', serialize=False, to='annotation.campaign')),
                ('items', models.JSONField(help_text='The most preferred: [[item, score, standard error, comparisons]].')),
                ('n_items', models.PositiveIntegerField(help_text='Ranked in all.')),
                ('lowest', models.FloatField(help_text='The score of the last of them.')),
                ('n_given', models.PositiveIntegerField(help_text="Answers there were, those that don't count too; tells when the next fit is due.")),
                ('computed_at', models.DateTimeField()),
            ],
        ),
    ]
