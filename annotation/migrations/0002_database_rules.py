"""What Django's models can't say: the queue's index, held tasks, and how hot tables are kept clean."""

from django.db import migrations

# Django would write -priority as a product, which the hand-out's ORDER BY would not match.
QUEUE = """
CREATE INDEX task_queue ON annotation_microtask (campaign_id, (-priority), id) WHERE is_open
"""

# A task's `held` is its record's, by a foreign key on the pair: it can't be forgotten by any code.
HELD_FOLLOWS_THE_RECORD = """
ALTER TABLE annotation_microtask ADD CONSTRAINT task_held_as_its_record
    FOREIGN KEY (record_id, held) REFERENCES annotation_record (id, held)
    ON UPDATE CASCADE ON DELETE CASCADE
"""

REFUSE_PLACES_IN_HELD_TASKS = """
CREATE FUNCTION annotation_refuse_held_task() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'task % is held', NEW.id USING ERRCODE = 'check_violation',
        CONSTRAINT = 'no_place_in_a_held_task';
END $$;
CREATE TRIGGER no_place_in_a_held_task BEFORE UPDATE OF taken ON annotation_microtask
    FOR EACH ROW WHEN (NEW.held AND NEW.taken > OLD.taken)
    EXECUTE FUNCTION annotation_refuse_held_task();
"""

REFUSE_DELETED_ASSIGNMENTS = """
CREATE FUNCTION annotation_keep_assignment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'assignments are the proof of who saw what and are never deleted'
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER assignment_is_kept BEFORE DELETE ON annotation_assignment
    FOR EACH ROW EXECUTE FUNCTION annotation_keep_assignment();
"""

# Room on each page lets an update of `taken` stay on it and touch no index (heap-only update);
# a low threshold keeps dead entries at the queue's head few.
KEEP_HOT_TABLES_CLEAN = """
ALTER TABLE annotation_microtask SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 1);
ALTER TABLE annotation_assignment SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 5000);
ALTER TABLE annotation_consensus SET (fillfactor = 70);
ALTER TABLE annotation_volunteer SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000);
ALTER TABLE annotation_volunteerday SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000);
"""


class Migration(migrations.Migration):
    dependencies = [("annotation", "0001_initial")]

    operations = [
        migrations.RunSQL(QUEUE, "DROP INDEX task_queue"),
        migrations.RunSQL(
            HELD_FOLLOWS_THE_RECORD,
            "ALTER TABLE annotation_microtask DROP CONSTRAINT task_held_as_its_record",
        ),
        migrations.RunSQL(
            REFUSE_PLACES_IN_HELD_TASKS,
            "DROP TRIGGER no_place_in_a_held_task ON annotation_microtask;"
            "DROP FUNCTION annotation_refuse_held_task",
        ),
        migrations.RunSQL(
            REFUSE_DELETED_ASSIGNMENTS,
            "DROP TRIGGER assignment_is_kept ON annotation_assignment;"
            "DROP FUNCTION annotation_keep_assignment",
        ),
        migrations.RunSQL(KEEP_HOT_TABLES_CLEAN, migrations.RunSQL.noop),
    ]
