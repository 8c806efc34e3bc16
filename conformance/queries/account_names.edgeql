# name: account_names
# result: many str
select Account.name order by Account.name limit 5
