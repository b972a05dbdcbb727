-- A state file as version 1 made it; the tables are those of its release, letter by letter.
    CREATE TABLE meta (
        name TEXT PRIMARY KEY NOT NULL,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE link (
        id INTEGER PRIMARY KEY,
        durable TEXT UNIQUE NOT NULL,
        name TEXT NOT NULL
    ) STRICT;
    -- Numbers are never used twice, not even after old runs were dropped.
    CREATE TABLE run (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        link INTEGER NOT NULL REFERENCES link (id),
        started_ms INTEGER NOT NULL,
        ended_ms INTEGER,
        exit INTEGER,
        error TEXT,
        report TEXT
    ) STRICT;
    CREATE INDEX run_of_link ON run (link, id);
    CREATE TABLE progress (
        link INTEGER NOT NULL REFERENCES link (id),
        partition TEXT NOT NULL,
        batch INTEGER NOT NULL,
        PRIMARY KEY (link, partition)
    ) STRICT, WITHOUT ROWID;
    -- The run may have been dropped since; a parked record outlives it.
    CREATE TABLE parked (
        id INTEGER PRIMARY KEY,
        link INTEGER NOT NULL REFERENCES link (id),
        collection TEXT NOT NULL,
        run INTEGER NOT NULL,
        key TEXT NOT NULL,
        field TEXT,
        reason TEXT NOT NULL
    ) STRICT;
    CREATE INDEX parked_of_collection ON parked (link, collection, id);

INSERT INTO meta VALUES ('incarnation', 'golden');
INSERT INTO link VALUES (3, 'a', 'a for people');
INSERT INTO run VALUES (4, 3, 1000, 2000, 1, 'rejected: no', NULL);
INSERT INTO run VALUES (5, 3, 3000, NULL, NULL, NULL, NULL);
INSERT INTO progress VALUES (3, 'planes', 7);
INSERT INTO parked VALUES (9, 3, 'planes', 4, '00000000000000000000000000000003', NULL, 'odd');
PRAGMA application_id = 0x54525545;
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
