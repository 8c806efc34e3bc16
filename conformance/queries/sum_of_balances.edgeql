# name: sum_of_balances
# result: one int64
select sum(Account.balance)
