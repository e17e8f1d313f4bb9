"""By which rules what was compared was ranked: rankings without them are computed anew."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotation', '0016_agreement_report'),
    ]

    operations = [
        migrations.AddField(
            model_name='itemranking',
            name='rules',
            field=models.JSONField(default=dict, help_text='How the campaign decided then: by other rules it is due again.'),
        ),
    ]
