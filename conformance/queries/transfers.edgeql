# name: transfers
# result: many {amount: int64, src: {name: str}, dst: {name: str, note: optional str}}
select Transfer { amount, src: { name }, dst: { name, note } } order by .amount
