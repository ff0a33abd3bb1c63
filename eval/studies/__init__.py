"""The paper's tables, one command each: what to train (plans), training it (training), the tables (reports)."""
