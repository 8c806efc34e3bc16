# name: empty_claims
# result: none
# unproven: the type is not of the recorded schema
delete Claim
