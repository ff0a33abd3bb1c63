"""The Streamlit app: lets people look at runs. What it shows stands in run directories; it trains nothing itself."""
