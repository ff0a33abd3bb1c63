"""eval: turns runs into numbers: protocols, reports, ground truth, studies. Formulas live in isp_core.metrics."""
