# name: setup_claim
# result: none
# unproven: a deferred policy of a link target was not recorded
create type Claim { create required link account: Account { on target delete deferred restrict } }
