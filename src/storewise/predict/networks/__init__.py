"""Networks that predict behaviour: trained with torch, served with NumPy."""
