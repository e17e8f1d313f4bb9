from django.db import migrations

# As annotation.exchange.minutes_spent counts them when a snapshot is taken, for all past runs in one pass.
MINUTES = """
WITH moment AS (
    SELECT t.campaign_id, a.answered_at AS at, LEAST(a.seconds, 600) AS seconds, NULL::uuid AS run_id
    FROM annotation_answer a
    JOIN annotation_assignment s ON s.id = a.assignment_id
    JOIN annotation_microtask t ON t.id = s.task_id
    UNION ALL
    SELECT campaign_id, snapshot_at, 0, id FROM training_trainingrun WHERE snapshot_at IS NOT NULL
), so_far AS (
    SELECT run_id, sum(seconds) OVER (PARTITION BY campaign_id ORDER BY at) AS seconds FROM moment
)
UPDATE training_trainingrun r SET minutes_spent = so_far.seconds / 60
FROM so_far WHERE so_far.run_id = r.id
"""


class Migration(migrations.Migration):

    dependencies = [
        ('annotation', '0010_answers_given_at_a_fit'),
        ('training', '0012_minutes_spent'),
    ]

    operations = [
        migrations.RunSQL(MINUTES, migrations.RunSQL.noop),
    ]
