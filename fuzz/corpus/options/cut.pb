

hand_off 