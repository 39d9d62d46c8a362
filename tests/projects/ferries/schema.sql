-- A business of three tables, in a schema of its own.
CREATE SCHEMA timetable;

CREATE TABLE timetable.boat (
    boat_id integer PRIMARY KEY,
    boat_name text NOT NULL,
    seats integer NOT NULL,
    launched date
);

CREATE TABLE timetable.harbour (
    harbour_id integer PRIMARY KEY,
    harbour_name text NOT NULL,
    boat_id integer NOT NULL REFERENCES timetable.boat,
    warden text
);

CREATE TABLE timetable.crossing (
    crossing_id bigint PRIMARY KEY,
    boat_id integer NOT NULL REFERENCES timetable.boat,
    left_at timestamp(3) NOT NULL,
    back_date text NOT NULL,
    passengers integer NOT NULL,
    fare numeric(8, 2) NOT NULL
);

INSERT INTO timetable.boat VALUES (1, 'Gull', 40, '2001-05-04'), (2, 'Tern', 12, NULL);
INSERT INTO timetable.harbour VALUES (1, 'North Quay', 2, 'A. Reid'), (2, 'Pier', 2, NULL);
INSERT INTO timetable.crossing
SELECT i, 1 + i % 2, timestamp '2026-01-20 08:00' + i * interval '9 hours',
       to_char(timestamp '2026-01-20 20:00' + i * interval '9 hours', 'YYYY-MM-DD'), i % 12, 2.50 + i % 3
FROM generate_series(1, 60) AS i;
