"""What retrieving networks share: trained with torch, answering with numpy alone."""
