"""How much volunteers agree, kept for the page that shows it."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotation', '0015_what_volunteers_find'),
    ]

    operations = [
        migrations.CreateModel(
            name='AgreementReport',
            fields=[
                ('campaign', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='agreement_report', serialize=False, to='annotation.campaign')),
                ('figures', models.JSONField(help_text='Measures, labels, weeks and pairs; see services.agreement.')),
                ('rules', models.JSONField(help_text='How the campaign decided then: by other rules it is due again.')),
                ('n_given', models.PositiveIntegerField(help_text="Answers there were, those that don't count too; tells when the next look is due.")),
                ('computed_at', models.DateTimeField()),
            ],
        ),
    ]
