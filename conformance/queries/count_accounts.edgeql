# name: count_accounts
# result: one int64
select count(Account)
