# name: strs
# result: many str
select {'', 'grüße', 'a\nb'}
