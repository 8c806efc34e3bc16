# name: insert_claim
# args: account str
# result: none
# unproven: the type is not of the recorded schema
insert Claim { account := (select Account filter .name = <str>$0) }
