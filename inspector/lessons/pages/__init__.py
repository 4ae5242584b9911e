"""What a learner sees of lessons, as lines of spans: a step, its ladder, runs compared, the map."""
