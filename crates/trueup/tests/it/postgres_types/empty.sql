-- Takes away what there is in every table but its key, and one record of each.
DO $$
DECLARE
  tab record;
BEGIN
  FOR tab IN
    SELECT c.oid::regclass AS name, c.relkind = 'r' AS alone,
      (SELECT quote_ident(a.attname) FROM pg_attribute a
       WHERE a.attrelid = c.oid AND a.attnum > 0 ORDER BY a.attnum LIMIT 1) AS key,
      (SELECT string_agg(format('%I = NULL', a.attname), ', ')
       FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
       WHERE a.attrelid = c.oid AND a.attnum > 1 AND NOT a.attnotnull AND NOT t.typnotnull AND a.attgenerated = '') AS nothing
    FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  LOOP
    IF tab.nothing IS NOT NULL THEN
      EXECUTE format('UPDATE %s %s SET %s', CASE WHEN tab.alone THEN 'ONLY' ELSE '' END, tab.name, tab.nothing);
    END IF;
    EXECUTE format('DELETE FROM %1$s WHERE %2$s::text = (SELECT max(%2$s::text) FROM %1$s)', tab.name, tab.key);
  END LOOP;
END $$;
