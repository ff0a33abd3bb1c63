"""isp_core: human parts learnt from identity labels alone (ISP, ECCV 2020). Imports neither eval nor app."""
