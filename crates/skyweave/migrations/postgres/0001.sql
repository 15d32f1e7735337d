-- The things of the service, its audit log and its counters. The same tables as in sqlite/0001.sql.
CREATE TABLE meta (
    key TEXT COLLATE "C" PRIMARY KEY,
    value TEXT NOT NULL
);

-- Each thing as JSON. What it means is the program's matter; `body::jsonb -> 'state'` looks into it.
CREATE TABLE thing (
    kind TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, id)
);

CREATE TABLE audit (
    number BIGINT PRIMARY KEY,
    body TEXT NOT NULL,
    hash TEXT NOT NULL
);

-- Rows are appended, each with the next number, and never changed: whoever wants to must first remove a trigger.
CREATE FUNCTION audit_next() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.number <> (SELECT COALESCE(MAX(number), 0) + 1 FROM audit) THEN
        RAISE EXCEPTION 'the audit log is append-only: this is not its next row';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION audit_never() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END $$;
CREATE TRIGGER audit_appends BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_next();
CREATE TRIGGER audit_keeps BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_never();

-- Bytes of a terminal in a period, which began at so many nanoseconds of the service's time.
CREATE TABLE usage (
    terminal TEXT COLLATE "C" NOT NULL,
    period_start BIGINT NOT NULL,
    down_bytes BIGINT NOT NULL,
    up_bytes BIGINT NOT NULL,
    PRIMARY KEY (terminal, period_start)
);
