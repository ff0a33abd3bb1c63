"""eval: turns runs into numbers: protocols, reports, truth, studies. Formulas live in isp_core.metrics."""
