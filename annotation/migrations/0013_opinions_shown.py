"""An answer stands once its volunteer has seen what a model makes of the text."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotation', '0012_preannotation'),
    ]

    operations = [
        migrations.AddField(
            model_name='answer',
            name='opinion_shown_at',
            field=models.DateTimeField(help_text='When its volunteer saw what a model makes of the text: it stands since then.', null=True),
        ),
    ]
