-- The things of the service, its audit log and its counters. The same tables as in postgres/0001.sql.
CREATE TABLE meta (
    key TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- Each thing as JSON. What it means is the program's matter; `json_extract(body, '$.state')` looks into it.
CREATE TABLE thing (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;

CREATE TABLE audit (
    number INTEGER PRIMARY KEY NOT NULL,
    body TEXT NOT NULL,
    hash TEXT NOT NULL
);

-- Rows are appended, each with the next number, and never changed: whoever wants to must first remove a trigger.
CREATE TRIGGER audit_appends BEFORE INSERT ON audit
WHEN NEW.number <> (SELECT COALESCE(MAX(number), 0) + 1 FROM audit)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only: this is not its next row'); END;
CREATE TRIGGER audit_keeps BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_holds BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

-- Bytes of a terminal in a period, which began at so many nanoseconds of the service's time.
CREATE TABLE usage (
    terminal TEXT NOT NULL,
    period_start INTEGER NOT NULL,
    down_bytes INTEGER NOT NULL,
    up_bytes INTEGER NOT NULL,
    PRIMARY KEY (terminal, period_start)
) WITHOUT ROWID;
