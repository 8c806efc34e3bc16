# name: drop_account
# result: none
# unproven: of this form only the dropping of another type was recorded
drop type Account
