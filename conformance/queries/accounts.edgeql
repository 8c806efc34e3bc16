# name: accounts
# result: many {name: str, balance: int64}
select Account { name, balance } order by .name
