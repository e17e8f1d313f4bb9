import django.db.models.deletion
from django.contrib.postgres.operations import CreateExtension
from django.db import migrations, models

import training.half_vectors


class Migration(migrations.Migration):

    dependencies = [
        ('annotation', '0010_answers_given_at_a_fit'),
        ('training', '0004_families'),
    ]

    operations = [
        # pgvector. Only a superuser may create it; where it is there already, nothing is done.
        CreateExtension('vector'),
        migrations.AddField(
            model_name='trainingpolicy',
            name='at_random_since',
            field=models.DateTimeField(editable=False, help_text='Since when tasks are asked at random, because choosing them brought nothing.', null=True),
        ),
        migrations.CreateModel(
            name='Embedding',
            fields=[
                ('task', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='embedding', serialize=False, to='annotation.microtask')),
                ('encoder', models.CharField(help_text="The first digits of its weights' SHA-256.", max_length=16)),
                ('vector', training.half_vectors.HalfVectorField()),
                ('campaign', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to='annotation.campaign')),
            ],
            options={
                'indexes': [models.Index(fields=['campaign', 'encoder', 'task'], name='embeddings_of_campaign')],
            },
        ),
        migrations.CreateModel(
            name='StreamRound',
            fields=[
                ('run', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='stream_round', serialize=False, to='training.trainingrun')),
                ('at', models.DateTimeField()),
                ('n_learned', models.PositiveIntegerField(help_text='Labels that each of the two learned from.')),
                ('n_judged', models.PositiveIntegerField(help_text='Labels of the stream that judged both.')),
                ('acquired', models.FloatField(help_text='Share of them found by what learned from chosen tasks.')),
                ('drawn', models.FloatField(help_text='Share of them found by what learned from the random stream.')),
                ('deviation', models.FloatField(help_text='Standard error of the difference.')),
                ('campaign', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to='annotation.campaign')),
            ],
            options={
                'ordering': ['-at'],
                'indexes': [models.Index(fields=['campaign', '-at'], name='stream_rounds_of_campaign')],
            },
        ),
    ]
