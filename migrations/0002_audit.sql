-- The audit trail. One narrow fact row for every request (and for each stage that has an event of its own), and the
-- event's canonical bytes beside it where the policy asks for them.
--
-- (gateway, epoch, sequence) names a row: each gateway process counts for itself, a new epoch each time it starts, so no
-- counter is shared and a row sent twice is inserted once. Both tables are partitioned by day of receipt, so that
-- retention drops a partition and never deletes rows.
--
-- Indexes are few, because every request pays for them. All but the one on users grow at their right edge only.
-- `xact` is the transaction that wrote the row: rows of transactions older than every running one can no longer gain
-- company, which is what lets a reader follow the trail without gaps although commits overtake one another.

CREATE TABLE audit_chains (
  gateway text PRIMARY KEY,
  epoch   bigint NOT NULL
);

CREATE TABLE audit_facts (
  gateway       text        NOT NULL,
  epoch         bigint      NOT NULL,
  sequence      bigint      NOT NULL,
  received_at   timestamptz NOT NULL,
  finished_at   timestamptz NOT NULL,
  xact          bigint      NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
  audit_id      uuid        NOT NULL,
  stage         text        NOT NULL,
  level         text        NOT NULL,
  user_name     text        NOT NULL,
  groups        text[]      NOT NULL,
  impersonator  text        NOT NULL,
  authenticator text        NOT NULL,
  verb          text        NOT NULL,
  is_resource   boolean     NOT NULL,
  api_group     text        NOT NULL,
  api_version   text        NOT NULL,
  resource      text        NOT NULL,
  subresource   text        NOT NULL,
  namespace     text        NOT NULL,
  name          text        NOT NULL,
  request_uri   text        NOT NULL,
  source_ips    text[]      NOT NULL,
  user_agent    text        NOT NULL,
  trace_id      text        NOT NULL,
  allowed       boolean     NOT NULL,
  reason        text        NOT NULL,
  binding       text        NOT NULL,
  code          smallint    NOT NULL,
  revision      bigint,
  PRIMARY KEY (gateway, epoch, sequence, received_at)
) PARTITION BY RANGE (received_at);

-- Newest first, and any span of time. Also how a row is found by audit id, which begins with the time of receipt.
CREATE INDEX audit_facts_time ON audit_facts (received_at, gateway, epoch, sequence);
CREATE INDEX audit_facts_user ON audit_facts (user_name, received_at);
CREATE INDEX audit_facts_denied ON audit_facts (received_at) WHERE NOT allowed;
-- Rows lie in the order they were written, so a range index is enough to find the newest; it costs next to nothing.
CREATE INDEX audit_facts_xact ON audit_facts USING brin (xact) WITH (pages_per_range = 32, autosummarize = on);

CREATE TABLE audit_events (
  gateway     text        NOT NULL,
  epoch       bigint      NOT NULL,
  sequence    bigint      NOT NULL,
  received_at timestamptz NOT NULL,
  event       bytea       NOT NULL,
  PRIMARY KEY (gateway, epoch, sequence, received_at)
) PARTITION BY RANGE (received_at);

-- What was not recorded, and why: written when the database takes rows again. `lost` rows between the two sequence numbers.
CREATE TABLE audit_gaps (
  gateway        text        NOT NULL,
  epoch          bigint      NOT NULL,
  first_sequence bigint      NOT NULL,
  last_sequence  bigint      NOT NULL,
  lost           bigint      NOT NULL,
  first_at       timestamptz NOT NULL,
  last_at        timestamptz NOT NULL,
  reason         text        NOT NULL,
  PRIMARY KEY (gateway, epoch, first_sequence)
);

-- Rows of a day that has no partition (a clock far off, partitions not made ahead) are kept all the same.
CREATE TABLE audit_facts_default PARTITION OF audit_facts DEFAULT;
CREATE TABLE audit_events_default PARTITION OF audit_events DEFAULT;

-- Makes the daily partitions (UTC) of both tables from today up to `days_ahead` from now. Safe to call at any time and by
-- several at once. A day whose rows are already in the default partition stays there.
CREATE FUNCTION audit_make_partitions(days_ahead integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  first_day date := (now() AT TIME ZONE 'UTC')::date;
  day date;
  parent text;
  partition_name text;
BEGIN
  PERFORM pg_advisory_xact_lock(7143520118);
  FOR day IN SELECT first_day + i FROM generate_series(0, days_ahead) AS i LOOP
    FOREACH parent IN ARRAY ARRAY['audit_facts', 'audit_events'] LOOP
      partition_name := parent || '_' || to_char(day, 'YYYYMMDD');
      IF to_regclass(partition_name) IS NULL THEN
        BEGIN
          EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
            partition_name, parent, day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00');
        EXCEPTION WHEN check_violation THEN
          NULL; -- the default partition holds rows of that day
        END;
      END IF;
    END LOOP;
  END LOOP;
END
$$;

SELECT audit_make_partitions(3);
