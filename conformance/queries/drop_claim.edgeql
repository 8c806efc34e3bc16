# name: drop_claim
# result: none
# unproven: the type is not of the recorded schema
drop type Claim
