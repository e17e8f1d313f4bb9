"""The training API: policies, runs, models. For the people who administer the campaign."""
