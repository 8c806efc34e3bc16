# name: sent
# result: optional {name: str, sent: multi {amount: int64}}
select Account { name, sent := .<src[is Transfer] { amount } } filter .name = 'ada'
