"""How often a volunteer states what holds and what does not, where an answer is more than one label."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotation', '0014_orders_by_run'),
    ]

    operations = [
        migrations.AddField(
            model_name='skill',
            name='finds',
            field=models.JSONField(help_text='By label, the share stated of what holds, and of what does not.', null=True),
        ),
    ]
