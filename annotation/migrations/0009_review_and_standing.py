"""What reviewers decide and doubt, and volunteers whose answers are to be weighed anew."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotation', '0008_volunteers_taken_out'),
    ]

    operations = [
        migrations.CreateModel(
            name='GuidelineDoubt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('note', models.CharField(blank=True, max_length=500)),
                ('at', models.DateTimeField()),
                ('resolved_at', models.DateTimeField(help_text='When an admin said that it is decided now.', null=True)),
            ],
            options={
                'ordering': ['-at', '-pk'],
            },
        ),
        migrations.AddField(
            model_name='gold',
            name='decided_at',
            field=models.DateTimeField(help_text="When a reviewer did; empty for a file's.", null=True),
        ),
        migrations.AddField(
            model_name='volunteer',
            name='is_to_be_weighed',
            field=models.BooleanField(db_default=False, editable=False),
        ),
        migrations.AddField(
            model_name='volunteer',
            name='standing_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='volunteer',
            name='standing_by',
            field=models.ForeignKey(help_text='Who decided it; the platform flags nobody whom a person has decided on.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='volunteer',
            name='trained_at',
            field=models.DateTimeField(help_text='When they had, the last time.', null=True),
        ),
        migrations.AddIndex(
            model_name='consensus',
            index=models.Index(condition=models.Q(('settled_at__isnull', False), ('value__isnull', True)), fields=['campaign', '-settled_at'], name='consensus_tied'),
        ),
        migrations.AddIndex(
            model_name='consensus',
            index=models.Index(condition=models.Q(('audited', True)), fields=['campaign'], name='consensus_audited'),
        ),
        migrations.AddIndex(
            model_name='consensus',
            index=models.Index(condition=models.Q(('certainty__lt', 1), ('settled_at__isnull', False)), fields=['campaign', 'certainty'], name='consensus_least_certain'),
        ),
        migrations.AddIndex(
            model_name='volunteer',
            index=models.Index(condition=models.Q(('is_to_be_weighed', True)), fields=['campaign'], name='volunteer_to_be_weighed'),
        ),
        migrations.AddField(
            model_name='guidelinedoubt',
            name='by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='guidelinedoubt',
            name='campaign',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='doubts', to='annotation.campaign'),
        ),
        migrations.AddField(
            model_name='guidelinedoubt',
            name='task',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='doubts', to='annotation.microtask'),
        ),
        migrations.AddConstraint(
            model_name='guidelinedoubt',
            constraint=models.UniqueConstraint(fields=('task', 'by'), name='guideline_doubt_once', nulls_distinct=False),
        ),
    ]
