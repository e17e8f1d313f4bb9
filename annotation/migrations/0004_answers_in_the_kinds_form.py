"""What stood as a label alone stands as an answer of its kind too."""

from django.db import migrations

GOLD = """
UPDATE annotation_gold g SET value = jsonb_build_object('label', label), campaign_id = t.campaign_id
FROM annotation_microtask t WHERE t.id = g.task_id
"""

CONSENSUS = """
UPDATE annotation_consensus s SET
    value = CASE WHEN label <> '' THEN jsonb_build_object('label', label) END,
    certainty = share,
    entropy = (SELECT coalesce(-sum(p * log(2.0, p)), 0) FROM (
        SELECT vote.value::numeric / s.n_answers AS p FROM jsonb_each_text(s.votes) vote) shares)
"""


class Migration(migrations.Migration):
    dependencies = [("annotation", "0003_kinds_and_consensus")]

    operations = [
        migrations.RunSQL(GOLD, migrations.RunSQL.noop),
        migrations.RunSQL(CONSENSUS, migrations.RunSQL.noop),
    ]
