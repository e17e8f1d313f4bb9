"""Spans that a model marks beforehand, and on assignments who was shown them."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotation', '0011_item_ranking'),
    ]

    operations = [
        migrations.CreateModel(
            name='Suggestion',
            fields=[
                ('task', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='suggestion', serialize=False, to='annotation.microtask')),
                ('version', models.PositiveIntegerField(help_text="The model's number.")),
                ('spans', models.JSONField(help_text='[{start, end, label, probability}], offsets in code points.')),
            ],
        ),
        migrations.AddField(
            model_name='assignment',
            name='suggested',
            field=models.BooleanField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='assignment',
            name='suggestion',
            field=models.JSONField(editable=False, help_text='As in Suggestion.spans.', null=True),
        ),
        migrations.AddField(
            model_name='assignment',
            name='suggestion_version',
            field=models.PositiveIntegerField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='campaign',
            name='preannotates',
            field=models.BooleanField(default=False, verbose_name='let the model mark spans beforehand'),
        ),
        migrations.AddIndex(
            model_name='assignment',
            index=models.Index(condition=models.Q(('state', 'answered'), ('suggested__isnull', False)), fields=['volunteer', '-closed_at'], name='assignment_in_an_arm'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('suggested__isnull', True), ('suggestion__isnull', True), ('suggestion_version__isnull', True)), models.Q(('suggested__isnull', False), ('suggestion__isnull', False), ('suggestion_version__isnull', False)), _connector='OR'), name='arm_with_its_suggestion'),
        ),
        migrations.AddConstraint(
            model_name='campaign',
            constraint=models.CheckConstraint(condition=models.Q(('preannotates', False), ('kind', 'spans'), _connector='OR'), name='campaign_preannotates_spans'),
        ),
        migrations.AddField(
            model_name='suggestion',
            name='campaign',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='annotation.campaign'),
        ),
    ]
