-- A carrier whose tables have keys of every kind: uuid, any text, several columns of several types; times to the
-- microsecond, floats, and names that a lake has not.
CREATE SCHEMA depot;
CREATE SCHEMA "Places";

CREATE TABLE "Places"."Order of hubs" (
    "hubCode" text PRIMARY KEY,
    "HUB ""name""" text NOT NULL,
    "select" date NOT NULL,
    hub_name integer
);

CREATE TABLE depot.parcel (
    parcel_id uuid PRIMARY KEY,
    hub_code text NOT NULL REFERENCES "Places"."Order of hubs",
    weight numeric(8, 2) NOT NULL,
    volume double precision,
    girth real,
    posted_at timestamptz NOT NULL
);

CREATE TABLE depot.scan (
    parcel_id uuid NOT NULL REFERENCES depot.parcel,
    scan_no integer NOT NULL,
    hub_code text NOT NULL REFERENCES "Places"."Order of hubs",
    scanned_at timestamp NOT NULL,
    note text,
    PRIMARY KEY (parcel_id, scan_no)
);

CREATE TABLE depot.shift (
    hub_code text NOT NULL REFERENCES "Places"."Order of hubs",
    day date NOT NULL,
    begins timestamp(3) NOT NULL,
    line integer NOT NULL,
    hands integer NOT NULL,
    PRIMARY KEY (hub_code, day, begins, line)
);

INSERT INTO "Places"."Order of hubs" VALUES
    ('LBA', 'Leeds', '2001-05-04'), ('A/1~', 'Slash and tilde', '2010-01-01'), ('A/1', 'Slash', '2011-01-01'),
    ('Zoë ''s', 'Quotes', '2012-02-29'), ('', 'No letters', '2013-03-03');
INSERT INTO depot.parcel
SELECT md5(i::text)::uuid, (ARRAY['LBA', 'A/1~', 'A/1', 'Zoë ''s', ''])[1 + i % 5], i / 4.0,
       CASE WHEN i % 7 > 0 THEN (ARRAY['NaN', '-0', '0', 'Infinity', '5e-324', '0.1', '1e15', '1e-5', '-1e300'])[1 + i % 9]
       END::double precision,
       (ARRAY['NaN', '-0', '0', '-Infinity', '1e-45', '0.1', '16777216', '3.4028235e38'])[1 + i % 8]::real,
       timestamptz '2026-01-20 08:00:00.000001+00' + i * interval '7 hours 0.0005 seconds'
FROM generate_series(1, 300) AS i;
INSERT INTO depot.scan
SELECT parcel_id, n, hub_code, posted_at AT TIME ZONE 'UTC' + n * interval '90 minutes', CASE n WHEN 2 THEN 'left' END
FROM depot.parcel, generate_series(1, 2) AS n;
INSERT INTO depot.shift
SELECT "hubCode", date '2026-01-20' + d, timestamp '2026-01-20 06:00:00.125' + d * interval '1 day', line, 5 + line
FROM "Places"."Order of hubs", generate_series(0, 3) AS d, generate_series(1, 2) AS line;
