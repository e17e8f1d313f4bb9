"""Kinds of task beside single choice, what the engine knows of the crowd, and why a consensus is what it is."""

import django.core.validators
import django.db.models.deletion
import django.db.models.functions.math
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotation', '0002_database_rules'),
    ]

    operations = [
        migrations.CreateModel(
            name='CrowdFit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('method', models.CharField(max_length=20)),
                ('parameters', models.JSONField(help_text='What all volunteers share; see annotation.algorithms.crowd.')),
                ('n_answers', models.PositiveIntegerField()),
                ('n_tasks', models.PositiveIntegerField()),
                ('n_changed', models.PositiveIntegerField(default=0, help_text='Consensus rows that moved with it.')),
                ('seconds', models.FloatField()),
                ('fitted_at', models.DateTimeField()),
            ],
            options={
                'ordering': ['-number'],
            },
        ),
        migrations.CreateModel(
            name='Skill',
            fields=[
                ('volunteer', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='skill', serialize=False, to='annotation.volunteer')),
                ('version', models.PositiveIntegerField(help_text='The number of the fit.')),
                ('parameters', models.JSONField(help_text='What the online update takes.')),
                ('accuracy', models.FloatField()),
                ('low', models.FloatField(help_text='Lower end of the 90 % credible interval of the accuracy.')),
                ('high', models.FloatField()),
                ('n_answers', models.PositiveIntegerField()),
                ('confusion', models.JSONField(help_text='Expected counts: row truth, column answer.', null=True)),
                ('evidence', models.JSONField(default=dict, help_text='Drift, speed, spam and lock-step findings.')),
            ],
        ),
        migrations.AddField(
            model_name='answer',
            name='certain',
            field=models.BooleanField(help_text='Whether the volunteer was sure, where it was asked.', null=True),
        ),
        migrations.AddField(
            model_name='answer',
            name='weighs',
            field=models.BooleanField(db_default=True, help_text='No while its volunteer is under suspicion: kept, and not counted.'),
        ),
        migrations.AddField(
            model_name='answerrevision',
            name='certain',
            field=models.BooleanField(null=True),
        ),
        migrations.AddField(
            model_name='campaign',
            name='aggregation',
            field=models.CharField(choices=[('majority', 'majority'), ('one_coin', 'one-coin'), ('dawid_skene', 'Dawid-Skene'), ('engine', "the engine's own choice")], default='majority', max_length=20, verbose_name='how answers are weighed'),
        ),
        migrations.AddField(
            model_name='campaign',
            name='asks_certainty',
            field=models.BooleanField(default=False, verbose_name='ask whether they are sure'),
        ),
        migrations.AddField(
            model_name='campaign',
            name='audit_share',
            field=models.FloatField(default=0.03, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(1)], verbose_name='share audited'),
        ),
        migrations.AddField(
            model_name='campaign',
            name='crowd_version',
            field=models.PositiveIntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name='campaign',
            name='hides_gold',
            field=models.BooleanField(default=False, verbose_name='hide gold among the tasks'),
        ),
        migrations.AddField(
            model_name='campaign',
            name='is_to_be_judged',
            field=models.BooleanField(default=False, editable=False),
        ),
        migrations.AddField(
            model_name='campaign',
            name='most_answers',
            field=models.PositiveSmallIntegerField(default=7, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100)], verbose_name='answers at most'),
        ),
        migrations.AddField(
            model_name='campaign',
            name='stop_certainty',
            field=models.FloatField(default=0.97, validators=[django.core.validators.MinValueValidator(0.5), django.core.validators.MaxValueValidator(0.9999)], verbose_name='sure enough at'),
        ),
        migrations.AddField(
            model_name='campaign',
            name='stopping',
            field=models.CharField(choices=[('fixed', 'the same number of answers for every task'), ('adaptive', 'as many as each task wants')], default='fixed', max_length=10, verbose_name='when a task is done'),
        ),
        migrations.AddField(
            model_name='consensus',
            name='audited',
            field=models.BooleanField(db_default=False, help_text='Asked once more after it stopped, to see whether it was rightly sure.'),
        ),
        migrations.AddField(
            model_name='consensus',
            name='certainty',
            field=models.FloatField(help_text='How probably `value` is right, by the method.', null=True),
        ),
        migrations.AddField(
            model_name='consensus',
            name='entropy',
            field=models.FloatField(help_text='Of the posterior, in bits.', null=True),
        ),
        migrations.AddField(
            model_name='consensus',
            name='posterior',
            field=models.JSONField(help_text='{label key: probability}', null=True),
        ),
        migrations.AddField(
            model_name='consensus',
            name='review',
            field=models.CharField(blank=True, choices=[('', 'no'), ('undecided', 'the answers stayed undecided'), ('unclear', 'skilled volunteers disagree: the guideline may be unclear')], db_default='', max_length=10),
        ),
        migrations.AddField(
            model_name='consensus',
            name='value',
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name='consensus',
            name='version',
            field=models.PositiveIntegerField(db_default=0, help_text='The fit whose parameters were used; 0 for none.'),
        ),
        migrations.AddField(
            model_name='consensus',
            name='weights',
            field=models.JSONField(help_text='{assignment: what its answer weighed}', null=True),
        ),
        migrations.AddField(
            model_name='gold',
            name='campaign',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, to='annotation.campaign'),
        ),
        migrations.AddField(
            model_name='gold',
            name='decided_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='gold',
            name='draw',
            field=models.FloatField(db_default=django.db.models.functions.math.Random()),
        ),
        migrations.AddField(
            model_name='gold',
            name='origin',
            field=models.CharField(choices=[('file', 'from a file'), ('reviewer', 'decided by a reviewer')], db_default='file', max_length=10),
        ),
        migrations.AddField(
            model_name='gold',
            name='value',
            field=models.JSONField(default={}, help_text="In the kind's form of an answer."),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='microtask',
            name='cap',
            field=models.PositiveSmallIntegerField(db_default=100),
        ),
        migrations.AddField(
            model_name='microtask',
            name='divider',
            field=models.PositiveIntegerField(help_text="Where the second text of a pair begins, in the record's code points.", null=True),
        ),
        migrations.AddField(
            model_name='volunteer',
            name='asked_to_train_at',
            field=models.DateTimeField(help_text='Asked to read the guideline again.', null=True),
        ),
        migrations.AddField(
            model_name='volunteer',
            name='n_claims',
            field=models.PositiveIntegerField(db_default=0),
        ),
        migrations.AddField(
            model_name='volunteer',
            name='standing',
            field=models.CharField(choices=[('trusted', 'counts'), ('flagged', 'flagged: does not count until somebody has decided'), ('excluded', 'does not count')], db_default='trusted', max_length=10),
        ),
        migrations.AddField(
            model_name='volunteer',
            name='standing_reason',
            field=models.CharField(blank=True, db_default='', max_length=300),
        ),
        migrations.AlterField(
            model_name='gold',
            name='label',
            field=models.CharField(blank=True, help_text='Empty where the answer is not one label.', max_length=64),
        ),
        migrations.AddIndex(
            model_name='consensus',
            index=models.Index(condition=models.Q(('review', ''), _negated=True), fields=['campaign', '-entropy'], name='consensus_to_review'),
        ),
        migrations.AddIndex(
            model_name='gold',
            index=models.Index(fields=['campaign', 'draw'], name='gold_of_campaign'),
        ),
        migrations.AddConstraint(
            model_name='campaign',
            constraint=models.CheckConstraint(condition=models.Q(('stop_certainty__gt', 0), ('stop_certainty__lt', 1)), name='campaign_stop_is_a_probability'),
        ),
        migrations.AddConstraint(
            model_name='campaign',
            constraint=models.CheckConstraint(condition=models.Q(('audit_share__gte', 0), ('audit_share__lte', 1)), name='campaign_audit_is_a_share'),
        ),
        migrations.AddConstraint(
            model_name='microtask',
            constraint=models.CheckConstraint(condition=models.Q(('needed__lte', models.F('cap'))), name='needed_within_cap'),
        ),
        migrations.AddField(
            model_name='crowdfit',
            name='campaign',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='crowd_fits', to='annotation.campaign'),
        ),
        migrations.AddConstraint(
            model_name='crowdfit',
            constraint=models.UniqueConstraint(fields=('campaign', 'number'), name='crowd_fit_once'),
        ),
    ]
