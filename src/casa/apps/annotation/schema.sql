-- A study in one file. What tells the method, the class or the judges' opinion of an answer is never shown to a rater.

CREATE TABLE study (            -- one row: what the batch was made of
    created TEXT NOT NULL,      -- UTC, ISO 8601
    seed INTEGER NOT NULL,
    contact TEXT NOT NULL,      -- whom raters can turn to, shown to them; may be empty
    logs TEXT NOT NULL          -- JSON list of the files that were read
);

CREATE TABLE prompt (
    id INTEGER PRIMARY KEY,
    rubric TEXT NOT NULL CHECK (rubric IN ('safety', 'utility')),
    conversation TEXT NOT NULL, -- JSON, our chat form; media are data URLs
    goal TEXT NOT NULL,
    benchmark TEXT NOT NULL,
    sample TEXT NOT NULL,       -- its id in the benchmark
    harmful INTEGER NOT NULL,
    modality TEXT NOT NULL,
    category TEXT NOT NULL,
    attack TEXT NOT NULL
);

CREATE TABLE answer (           -- a method's, or an attention check's
    id INTEGER PRIMARY KEY,
    prompt INTEGER NOT NULL REFERENCES prompt,
    text TEXT NOT NULL,
    method TEXT,
    expected TEXT,              -- the right rating of an attention check
    CHECK ((method IS NULL) <> (expected IS NULL))
);

CREATE TABLE opinion (          -- what a machine says of an answer, in the rubric's values
    answer INTEGER NOT NULL REFERENCES answer,
    scorer TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (answer, scorer)
);

CREATE TABLE rater (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,  -- r1, r2, ...; nobody's real name
    token TEXT NOT NULL UNIQUE  -- secret, in the rater's link
);

CREATE TABLE assignment (       -- which rater rates which answer, and as which one
    id INTEGER PRIMARY KEY,
    rater INTEGER NOT NULL REFERENCES rater,
    answer INTEGER NOT NULL REFERENCES answer,
    position INTEGER NOT NULL,
    UNIQUE (rater, answer),
    UNIQUE (rater, position)
);

CREATE TABLE rating (           -- at most one for each assignment, whatever tabs are open
    assignment INTEGER PRIMARY KEY REFERENCES assignment,
    value TEXT,
    skipped TEXT CHECK (skipped IN ('unsure', 'distressing')),
    rated_at TEXT NOT NULL,     -- UTC, ISO 8601
    CHECK ((value IS NULL) <> (skipped IS NULL))
);
