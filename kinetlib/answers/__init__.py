"""What a real reaction answers: the network proposes, the evidence decides."""
