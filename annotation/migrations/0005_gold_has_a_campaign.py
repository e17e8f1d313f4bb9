"""Gold says whose it is, so that hidden gold is found without its tasks."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotation', '0004_answers_in_the_kinds_form'),
    ]

    operations = [
        migrations.AlterField(
            model_name='gold',
            name='campaign',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to='annotation.campaign'),
        ),
    ]
