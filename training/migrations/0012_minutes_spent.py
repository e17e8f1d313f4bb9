from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('training', '0011_adapted_encoders'),
    ]

    operations = [
        migrations.AddField(
            model_name='trainingrun',
            name='minutes_spent',
            field=models.FloatField(help_text="That volunteers had given by then, over all the campaign's answers.", null=True),
        ),
    ]
