"""What the training engine computes, from sub-word pieces to a saved model."""
